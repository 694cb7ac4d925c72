"""Quality metrics of a clip: decoded RGB compared with the capture's pictures.

In: an open clip, its capture, views and frames. Out: an ``Evaluation`` with PSNR, SSIM, MSE, DSSIM, LPIPS,
FLIP and PSNR of moving pixels per picture, JOD per view, and the reason for each metric that is missing;
on request an HTML report. Weights and packages of optional metrics are never downloaded.
Imports: captures, captures/layouts, frames, importance.
"""
