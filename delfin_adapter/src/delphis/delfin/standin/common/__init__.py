"""`delfin.common`"""
