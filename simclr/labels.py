"""The value of a label, beside 0 (absent) and 1 (present), in a data set whose images have several labels."""

# Neither is certain, so the label is not learnt from and not counted. PASCAL VOC's scorer skips an image like this for
# a class, if all of its objects of that class are marked difficult.
UNJUDGED = 2
