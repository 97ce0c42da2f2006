"""The mock of Baidu AI Cloud's face version 3."""
