"""Many clips at once: what goes in (`inputs`), the job folder (`jobs`), one clip (`clip`), the workers (`run`)."""
