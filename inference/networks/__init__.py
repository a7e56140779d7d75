"""Parts that the networks share: matrices of int8 weights, and the ragged batch that every step takes."""
