"""The two studies: their parameters, plans, reports and stages."""
