"""Tests of the chart in the real cluster that `KUBECONFIG` names: `make test-cluster`."""
