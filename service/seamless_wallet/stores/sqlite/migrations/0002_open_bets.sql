-- Open bets of all players in the order in which they were placed: which of them are open for long, and how many.
CREATE INDEX mark_open ON mark (entry) WHERE open = 1;
