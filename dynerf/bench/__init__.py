"""What ``dynerf bench`` measures: decoding, training, and each stage beside what the machine can do."""
