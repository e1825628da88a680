"""Previews: a video and a contact sheet in which a person sees at once what was captured."""
