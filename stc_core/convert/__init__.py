"""Many clips at once: what goes in (`inputs`), one clip (`convert_clip`), the job folder (`store`), the workers
(`scheduling`) and the page that shows all (`report`)."""
