"""The doctor, on real parts that are broken in one way each."""
