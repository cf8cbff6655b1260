# SPDX-License-Identifier: LGPL-2.1-or-later
"""The parts of make_head.py and check_head.py: numpy only, no other package."""
