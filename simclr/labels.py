"""What a label of an image with several labels can say besides 0, absent, and 1, present."""

# Neither is certain, so it is not learnt from and not counted: PASCAL VOC's scorer so skips an image, for one class,
# where all of its objects of that class are marked difficult.
UNJUDGED = 2
