"""Views of images: a batched, deterministic function per operator, and the policy that draws parameters."""

from simclr.views.ablations import (
    AutoAugment,
    Cutout,
    Equalize,
    GaussianNoise,
    MotionBlur,
    Rotate,
    Sobel,
    Solarize,
)
from simclr.views.base import Address, Operator
from simclr.views.color import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    color_jitter,
    equalize,
    grayscale,
    solarize,
)
from simclr.views.crop import (
    centre_box,
    crop_boxes_official,
    crop_boxes_torchvision,
    evaluation_view,
    shorter_side_view,
)
from simclr.views.feed import ImageFeed
from simclr.views.filters import (
    autoaugment,
    cutout,
    gaussian_blur,
    gaussian_noise,
    motion_blur,
    rotate,
    sobel,
)
from simclr.views.images import Begin, Begun, ImageCollection, ReadsAhead, Update
from simclr.views.policy import OPERATORS, ViewPolicy
from simclr.views.ragged import Images, Ragged, as_images, rows_of
from simclr.views.resample import as_float, resize, resize_shorter_side, resized_crop
from simclr.views.standard import ColorDistortion, GaussianBlur, Grayscale, RandomCrop, RandomFlip

__all__ = [
    "OPERATORS",
    "Address",
    "AutoAugment",
    "Begin",
    "Begun",
    "ColorDistortion",
    "Cutout",
    "Equalize",
    "GaussianBlur",
    "GaussianNoise",
    "Grayscale",
    "ImageCollection",
    "ImageFeed",
    "Images",
    "MotionBlur",
    "Operator",
    "Ragged",
    "RandomCrop",
    "RandomFlip",
    "ReadsAhead",
    "Rotate",
    "Sobel",
    "Solarize",
    "Update",
    "ViewPolicy",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "as_float",
    "as_images",
    "autoaugment",
    "centre_box",
    "color_jitter",
    "crop_boxes_official",
    "crop_boxes_torchvision",
    "cutout",
    "equalize",
    "evaluation_view",
    "gaussian_blur",
    "gaussian_noise",
    "grayscale",
    "motion_blur",
    "resize",
    "resize_shorter_side",
    "resized_crop",
    "rotate",
    "rows_of",
    "shorter_side_view",
    "sobel",
    "solarize",
]
