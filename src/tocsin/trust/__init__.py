"""What may pass: the standing of entities, and later identity, policy and decisions."""
