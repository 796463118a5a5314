def get_message(identifier):
    return identifier
