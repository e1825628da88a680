"""Detection: MediaPipe's body landmarks in the frames of a video. Nothing else knows MediaPipe."""
