"""What can be done with a whole trace: rebuild a run from it, add to it, stream it, take it elsewhere."""
