"""What the control plane costs at list prices: a canary, a watch, an idle month (`make bench-cost`)."""
