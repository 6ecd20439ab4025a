//! Every packet type at its boundaries, alone and in company.
