"""From an area and dates to one picture of many scenes: what is asked for, block by block, on Sentinel-2's own grid."""
