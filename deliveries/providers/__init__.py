"""Providers: who carries a channel's messages out, in which order, how fast, and who steps in when one fails."""
