"""The Helm chart, rendered and checked; no cluster is needed."""
