"""The domain: experiments, decisions, rewards, statistics, learning, replay."""
