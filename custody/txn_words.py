"""What each type of transaction (domain.md §3) is called in Chinese."""

from __future__ import annotations

from custody.names import TxnType

TXN_TYPES: dict[str, str] = {
    TxnType.RECHARGE: "充值",
    TxnType.BACKROLL_RECHARGE: "充值冲回",
    TxnType.WITHDRAW_FREEZE: "提现冻结",
    TxnType.WITHDRAW_CANCEL: "提现撤销",
    TxnType.WITHDRAW: "提现",
    TxnType.WITHDRAW_RETURN: "提现退回",
    TxnType.CHANNEL_SETTLEMENT: "渠道清算",
    TxnType.CHANNEL_FEE_TOPUP: "渠道费补足",
    TxnType.TENDER_FREEZE: "投标冻结",
    TxnType.TENDER_CANCEL: "投标撤销",
    TxnType.TENDER_SETTLE: "放款",
    TxnType.ENTRUSTED_PAYMENT: "受托支付",
    TxnType.REPAY_FREEZE: "还款冻结",
    TxnType.REPAYMENT: "还款",
    TxnType.COMPENSATION: "代偿",
    TxnType.COMPENSATION_REPAYMENT: "代偿还款",
    TxnType.CREDIT_ASSIGNMENT: "债权转让",
    TxnType.COMMISSION: "平台服务费",
    TxnType.MARKETING: "营销红包",
    TxnType.BANK_INTEREST: "存款利息",
    TxnType.PLATFORM_RECHARGE: "平台充值",
    TxnType.PLATFORM_WITHDRAW: "平台提现",
    TxnType.CUSTODY_FEE: "存管费",
    TxnType.ADJUSTMENT: "调账",
    TxnType.REVERSAL: "冲正",
    TxnType.OWN_FUNDS_MOVEMENT: "自有资金变动",
    TxnType.LEGAL_FREEZE: "司法冻结",
    TxnType.LEGAL_RELEASE: "司法解冻",
    TxnType.LEGAL_DEDUCT: "司法扣划",
}
