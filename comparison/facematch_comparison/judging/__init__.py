"""From answers to conclusions: evaluation, gate, plan, requirements and sentences."""
