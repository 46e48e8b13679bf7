"""What drivers of Delfin's interface import, where Delfin itself is not installed: this folder is then `delfin`.

Written anew for Delphis from how such drivers behave. Modules here import each other as `delfin.…`, the name under
which they run.
"""
