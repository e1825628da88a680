"""The job folder: the truth about every clip, at a path (`local_store`) or a URL (`url_store`); `store` says which."""
