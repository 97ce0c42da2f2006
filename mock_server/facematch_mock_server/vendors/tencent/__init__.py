"""The mock of Tencent Cloud IAI."""
