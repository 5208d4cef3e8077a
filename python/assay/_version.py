# SPDX-License-Identifier: Apache-2.0
"""The package's version: that of the library it came with."""

VERSION = "0.1.0"
