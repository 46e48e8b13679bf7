"""`delfin.drivers`"""
