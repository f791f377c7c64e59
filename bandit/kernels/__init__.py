"""The compiled numerics under the policies: sums and factors, scores, rules, feature maps. Arrays in, arrays out."""
