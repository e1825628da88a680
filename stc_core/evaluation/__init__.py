"""How good results are: metrics, predictions on test data, clips of known ground truth, reports."""
