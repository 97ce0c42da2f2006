"""Judge answers: evaluation, gate, plan, requirements and sentences."""
