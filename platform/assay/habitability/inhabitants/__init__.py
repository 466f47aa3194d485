"""Networks for a planet: sampled for its environment, judged beside others, put into words."""
