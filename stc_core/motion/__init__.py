"""What a motion is: skeletons, motions and their files, retargeting to rigs. numpy and the standard library only."""
