"""`landit serve`: a supervisor, its workers and its keeper, none outliving another."""
