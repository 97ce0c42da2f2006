"""The mock of Alibaba Cloud's facebody."""
