"""The networks a trial can be built on, without their heads: one entry each in the registry."""
