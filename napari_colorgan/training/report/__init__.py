"""A quality report: a folder with a page, tables and pictures."""

from napari_colorgan.training.report.writing import (
    PictureReported,
    Report,
    check_folder,
    write_job,
)

__all__ = ["PictureReported", "Report", "check_folder", "write_job"]
