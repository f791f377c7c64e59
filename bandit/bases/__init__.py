"""What the policies of several families share: how they learn, and what they ask of rewards."""
