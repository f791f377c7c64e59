"""Who is the best, and how surely: P(best) and expected loss of posteriors, by integrals that are exact."""
