"""The chart in a real cluster, where `KUBECONFIG` names one: `make test-cluster`."""
