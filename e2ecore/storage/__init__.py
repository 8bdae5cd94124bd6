"""The SQLCipher store: the only place that knows SQL."""
