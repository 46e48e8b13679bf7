"""`delfin.drivers.utils`"""
