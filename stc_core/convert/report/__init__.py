"""What a conversion shows: each clip's summary, thumbnails and charts, and the HTML page of all."""
