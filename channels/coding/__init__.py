"""From payload bits to coded bits and back: CRC, segmentation, 5G NR LDPC, redundancy versions."""
