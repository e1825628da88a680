"""Camera-space poses put into the world: root trajectory, floor, foot contacts, feet pinned where they stand."""
