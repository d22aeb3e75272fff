"""月报、贯通校验与半年交叉检查 (办法10(三), 办法10(四)): what comes round by the month and by the half-year. Rows only, no commit."""
