"""What a motion is: rotations, skeletons, motion files. numpy and the standard library only."""
