/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arm64.h"
#include "arch/bits.h"

/* Arm ARM D19.2, the names as there. */
static const KdBitField hcr_el2[] = {{0, 1, "VM"}, {1, 1, "SWIO"}, {2, 1, "PTW"}, {3, 1, "FMO"},
	{4, 1, "IMO"}, {5, 1, "AMO"}, {6, 1, "VF"}, {7, 1, "VI"}, {8, 1, "VSE"}, {9, 1, "FB"},
	{10, 2, "BSU"}, {12, 1, "DC"}, {13, 1, "TWI"}, {14, 1, "TWE"}, {15, 1, "TID0"},
	{16, 1, "TID1"}, {17, 1, "TID2"}, {18, 1, "TID3"}, {19, 1, "TSC"}, {20, 1, "TIDCP"},
	{21, 1, "TACR"}, {22, 1, "TSW"}, {23, 1, "TPCP"}, {24, 1, "TPU"}, {25, 1, "TTLB"},
	{26, 1, "TVM"}, {27, 1, "TGE"}, {28, 1, "TDZ"}, {29, 1, "HCD"}, {30, 1, "TRVM"},
	{31, 1, "RW"}, {32, 1, "CD"}, {33, 1, "ID"}, {34, 1, "E2H"}, {35, 1, "TLOR"},
	{36, 1, "TERR"}, {37, 1, "TEA"}, {38, 1, "MIOCNCE"}, {39, 1, "TME"}, {40, 1, "APK"},
	{41, 1, "API"}, {42, 1, "NV"}, {43, 1, "NV1"}, {44, 1, "AT"}, {45, 1, "NV2"},
	{46, 1, "FWB"}, {47, 1, "FIEN"}, {48, 1, "GPF"}, {49, 1, "TID4"}, {50, 1, "TICAB"},
	{51, 1, "AMVOFFEN"}, {52, 1, "TOCU"}, {53, 1, "EnSCXT"}, {54, 1, "TTLBIS"},
	{55, 1, "TTLBOS"}, {56, 1, "ATA"}, {57, 1, "DCT"}, {58, 1, "TID5"}, {59, 1, "TWEDEn"},
	{60, 4, "TWEDEL"}, {0}};

static const KdBitField hcrx_el2[] = {{0, 1, "EnAS0"}, {1, 1, "EnALS"}, {2, 1, "EnASR"},
	{3, 1, "FnXS"}, {4, 1, "FGTnXS"}, {5, 1, "SMPME"}, {6, 1, "TALLINT"}, {7, 1, "VINMI"},
	{8, 1, "VFNMI"}, {9, 1, "CMOW"}, {10, 1, "MCE2"}, {11, 1, "MSCEn"}, {14, 1, "TCR2En"},
	{15, 1, "SCTLR2En"}, {16, 1, "PTTWI"}, {17, 1, "D128En"}, {18, 1, "EnSNERR"},
	{19, 1, "TMEA"}, {20, 1, "EnSDERR"}, {21, 1, "EnIDCP128"}, {22, 1, "GCSEn"},
	{23, 1, "EnFPM"}, {24, 1, "PACMEn"}, {0}};

static const KdBitField cptr_el2[] = {{0, 8, ""}, {9, 1, ""}, {13, 1, ""}, {8, 1, "TZ"},
	{10, 1, "TFP"}, {12, 1, "TSM"}, {20, 1, "TTA"}, {30, 1, "TAM"}, {31, 1, "TCPAC"}, {0}};

/* CPTR_EL2's too, with HCR_EL2.E2H. */
static const KdBitField cpacr_el1[] = {{16, 2, "ZEN"}, {20, 2, "FPEN"}, {24, 2, "SMEN"},
	{28, 1, "TTA"}, {29, 1, "E0POE"}, {30, 1, "TAM"}, {31, 1, "TCPAC"}, {0}};

static const KdBitField mdcr_el2[] = {{0, 5, "HPMN"}, {5, 1, "TPMCR"}, {6, 1, "TPM"},
	{7, 1, "HPME"}, {8, 1, "TDE"}, {9, 1, "TDA"}, {10, 1, "TDOSA"}, {11, 1, "TDRA"},
	{12, 2, "E2PB"}, {14, 1, "TPMS"}, {15, 1, "EnSPM"}, {17, 1, "HPMD"}, {19, 1, "TTRF"},
	{23, 1, "HCCD"}, {24, 2, "E2TB"}, {26, 1, "HLP"}, {27, 1, "TDCC"}, {28, 1, "MTPME"},
	{29, 1, "HPMFZO"}, {30, 2, "PMSSE"}, {36, 1, "HPMFZS"}, {40, 2, "PMEE"}, {43, 1, "EBWE"},
	{50, 1, "EnSTEPOP"}, {0}};

static const KdBitField sctlr[] = {{0, 1, "M"}, {1, 1, "A"}, {2, 1, "C"}, {3, 1, "SA"},
	{4, 1, "SA0"}, {5, 1, "CP15BEN"}, {6, 1, "nAA"}, {7, 1, "ITD"}, {8, 1, "SED"},
	{9, 1, "UMA"}, {10, 1, "EnRCTX"}, {11, 1, "EOS"}, {12, 1, "I"}, {13, 1, "EnDB"},
	{14, 1, "DZE"}, {15, 1, "UCT"}, {16, 1, "nTWI"}, {18, 1, "nTWE"}, {19, 1, "WXN"},
	{20, 1, "TSCXT"}, {21, 1, "IESB"}, {22, 1, "EIS"}, {23, 1, "SPAN"}, {24, 1, "E0E"},
	{25, 1, "EE"}, {26, 1, "UCI"}, {27, 1, "EnDA"}, {28, 1, "nTLSMD"}, {29, 1, "LSMAOE"},
	{30, 1, "EnIB"}, {31, 1, "EnIA"}, {32, 1, "CMOW"}, {33, 1, "MSCEn"}, {34, 1, "EnFPM"},
	{35, 1, "BT0"}, {36, 1, "BT1"}, {37, 1, "ITFSB"}, {38, 2, "TCF0"}, {40, 2, "TCF"},
	{42, 1, "ATA0"}, {43, 1, "ATA"}, {44, 1, "DSSBS"}, {45, 1, "TWEDEn"}, {46, 4, "TWEDEL"},
	{50, 1, "TMT0"}, {51, 1, "TMT"}, {52, 1, "TME0"}, {53, 1, "TME"}, {54, 1, "EnASR"},
	{55, 1, "EnAS0"}, {56, 1, "EnALS"}, {57, 1, "EPAN"}, {58, 1, "TCSO0"}, {59, 1, "TCSO"},
	{60, 1, "EnTP2"}, {61, 1, "NMI"}, {62, 1, "SPINTMASK"}, {63, 1, "TIDCP"}, {0}};

/* Of EL2 alone, which has no EL0 below it: fewer bits, some of them reserved and set. */
static const KdBitField sctlr_el2[] = {{4, 2, ""}, {11, 1, ""}, {16, 1, ""}, {18, 1, ""},
	{22, 2, ""}, {28, 2, ""}, {0, 1, "M"}, {1, 1, "A"}, {2, 1, "C"}, {3, 1, "SA"},
	{6, 1, "nAA"}, {12, 1, "I"}, {13, 1, "EnDB"}, {19, 1, "WXN"}, {21, 1, "IESB"},
	{25, 1, "EE"}, {27, 1, "EnDA"}, {30, 1, "EnIB"}, {31, 1, "EnIA"}, {34, 1, "EnFPM"},
	{36, 1, "BT"}, {37, 1, "ITFSB"}, {40, 2, "TCF"}, {43, 1, "ATA"}, {44, 1, "DSSBS"},
	{51, 1, "TMT"}, {53, 1, "TME"}, {59, 1, "TCSO"}, {60, 1, "EnTP2"}, {61, 1, "NMI"},
	{62, 1, "SPINTMASK"}, {0}};

static const KdBitField tcr[] = {{0, 6, "T0SZ"}, {7, 1, "EPD0"}, {8, 2, "IRGN0"}, {10, 2, "ORGN0"},
	{12, 2, "SH0"}, {14, 2, "TG0"}, {16, 6, "T1SZ"}, {22, 1, "A1"}, {23, 1, "EPD1"},
	{24, 2, "IRGN1"}, {26, 2, "ORGN1"}, {28, 2, "SH1"}, {30, 2, "TG1"}, {32, 3, "IPS"},
	{36, 1, "AS"}, {37, 1, "TBI0"}, {38, 1, "TBI1"}, {39, 1, "HA"}, {40, 1, "HD"},
	{41, 1, "HPD0"}, {42, 1, "HPD1"}, {43, 4, "HWU0"}, {47, 4, "HWU1"}, {51, 1, "TBID0"},
	{52, 1, "TBID1"}, {53, 1, "NFD0"}, {54, 1, "NFD1"}, {55, 1, "E0PD0"}, {56, 1, "E0PD1"},
	{57, 1, "TCMA0"}, {58, 1, "TCMA1"}, {59, 1, "DS"}, {60, 1, "MTX0"}, {61, 1, "MTX1"}, {0}};

static const KdBitField tcr_el2[] = {{23, 1, ""}, {31, 1, ""}, {0, 6, "T0SZ"}, {8, 2, "IRGN0"},
	{10, 2, "ORGN0"}, {12, 2, "SH0"}, {14, 2, "TG0"}, {16, 3, "PS"}, {20, 1, "TBI"},
	{21, 1, "HA"}, {22, 1, "HD"}, {24, 1, "HPD"}, {25, 4, "HWU"}, {29, 1, "TBID"},
	{30, 1, "TCMA"}, {32, 1, "DS"}, {33, 1, "MTX"}, {0}};

static const KdBitField vtcr_el2[] = {{31, 1, ""}, {0, 6, "T0SZ"}, {6, 2, "SL0"}, {8, 2, "IRGN0"},
	{10, 2, "ORGN0"}, {12, 2, "SH0"}, {14, 2, "TG0"}, {16, 3, "PS"}, {19, 1, "VS"},
	{21, 1, "HA"}, {22, 1, "HD"}, {25, 4, "HWU"}, {29, 1, "NSW"}, {30, 1, "NSA"}, {32, 1, "DS"},
	{33, 1, "SL2"}, {34, 1, "AssuredOnly"}, {35, 1, "TL1"}, {36, 1, "S2PIE"}, {37, 1, "S2POE"},
	{38, 1, "D128"}, {40, 1, "GCSH"}, {41, 1, "TL0"}, {44, 2, "HAFT"}, {0}};

/* BADDR without its shift would mislead: the words have the address. */
static const KdBitField vttbr_el2[] = {{0, 1, "CnP"}, {1, 47, ""}, {48, 16, "VMID"}, {0}};
static const KdBitField ttbr[] = {{0, 1, "CnP"}, {1, 47, ""}, {48, 16, "ASID"}, {0}};

static const KdBitField pstate[] = {{0, 4, "M"}, {6, 1, "F"}, {7, 1, "I"}, {8, 1, "A"}, {9, 1, "D"},
	{10, 2, "BTYPE"}, {12, 1, "SSBS"}, {13, 1, "ALLINT"}, {20, 1, "IL"}, {21, 1, "SS"},
	{22, 1, "PAN"}, {23, 1, "UAO"}, {24, 1, "DIT"}, {25, 1, "TCO"}, {28, 1, "V"}, {29, 1, "C"},
	{30, 1, "Z"}, {31, 1, "N"}, {32, 1, "PM"}, {33, 1, "PPEND"}, {34, 1, "EXLOCK"},
	{35, 1, "PACM"}, {0}};

static const KdBitField pstate_aarch32[] = {{0, 5, "M"}, {5, 1, "T"}, {6, 1, "F"}, {7, 1, "I"},
	{8, 1, "A"}, {9, 1, "E"}, {10, 6, "IT7_2"}, {16, 4, "GE"}, {20, 1, "IL"}, {21, 1, "DIT"},
	{22, 1, "PAN"}, {23, 1, "SSBS"}, {25, 2, "IT1_0"}, {27, 1, "Q"}, {28, 1, "V"}, {29, 1, "C"},
	{30, 1, "Z"}, {31, 1, "N"}, {0}};

static const KdBitField mdscr_el1[] = {{0, 1, "SS"}, {6, 1, "ERR"}, {12, 1, "TDCC"}, {13, 1, "KDE"},
	{14, 1, "HDE"}, {15, 1, "MDE"}, {19, 1, "SC2"}, {21, 1, "TDA"}, {22, 2, "INTdis"},
	{26, 1, "TXU"}, {27, 1, "RXO"}, {29, 1, "TXfull"}, {30, 1, "RXfull"}, {31, 1, "TFO"},
	{32, 1, "EMBWE"}, {33, 1, "TTA"}, {34, 1, "EnSPM"}, {35, 1, "EHBWE"}, {50, 1, "EnSTEPOP"},
	{0}};

static const KdBitField hstr_el2[] = {{0, 1, "T0"}, {1, 1, "T1"}, {2, 1, "T2"}, {3, 1, "T3"},
	{5, 1, "T5"}, {6, 1, "T6"}, {7, 1, "T7"}, {8, 1, "T8"}, {9, 1, "T9"}, {10, 1, "T10"},
	{11, 1, "T11"}, {12, 1, "T12"}, {13, 1, "T13"}, {15, 1, "T15"}, {0}};

static const KdBitField cnthctl_el2[] = {{0, 1, "EL1PCTEN"}, {1, 1, "EL1PCEN"}, {2, 1, "EVNTEN"},
	{3, 1, "EVNTDIR"}, {4, 4, "EVNTI"}, {12, 1, "ECV"}, {13, 1, "EL1TVT"}, {14, 1, "EL1TVCT"},
	{15, 1, "EL1NVPCT"}, {16, 1, "EL1NVVCT"}, {17, 1, "EVNTIS"}, {18, 1, "CNTVMASK"},
	{19, 1, "CNTPMASK"}, {0}};

/* CNTHCTL_EL2 with HCR_EL2.E2H; the bits of EL0 are all that CNTKCTL_EL1 has. */
static const KdBitField cntkctl[] = {{0, 1, "EL0PCTEN"}, {1, 1, "EL0VCTEN"}, {2, 1, "EVNTEN"},
	{3, 1, "EVNTDIR"}, {4, 4, "EVNTI"}, {8, 1, "EL0VTEN"}, {9, 1, "EL0PTEN"},
	{10, 1, "EL1PCTEN"}, {11, 1, "EL1PTEN"}, {12, 1, "ECV"}, {13, 1, "EL1TVT"},
	{14, 1, "EL1TVCT"}, {15, 1, "EL1NVPCT"}, {16, 1, "EL1NVVCT"}, {17, 1, "EVNTIS"},
	{18, 1, "CNTVMASK"}, {19, 1, "CNTPMASK"}, {0}};

static const KdBitField timer_ctl[] = {{0, 1, "ENABLE"}, {1, 1, "IMASK"}, {2, 1, "ISTATUS"}, {0}};

static const KdBitField zcr[] = {{0, 4, "LEN"}, {0}};
static const KdBitField smcr[] = {{0, 4, "LEN"}, {30, 1, "EZT0"}, {31, 1, "FA64"}, {0}};

static const KdBitRegister registers[] = {
	{"HCR_EL2", hcr_el2},
	{"HCRX_EL2", hcrx_el2},
	{"CPTR_EL2", cptr_el2},
	{"CPTR_EL2 (E2H)", cpacr_el1},
	{"CPACR_EL1", cpacr_el1},
	{"MDCR_EL2", mdcr_el2},
	{"SCTLR_EL1", sctlr},
	{"SCTLR_EL2", sctlr_el2},
	{"SCTLR_EL2 (E2H)", sctlr},
	{"TCR_EL1", tcr},
	{"TCR_EL2", tcr_el2},
	{"TCR_EL2 (E2H)", tcr},
	{"VTCR_EL2", vtcr_el2},
	{"VTTBR_EL2", vttbr_el2},
	{"TTBR0_EL1", ttbr},
	{"TTBR1_EL1", ttbr},
	{"TTBR0_EL2", ttbr},
	{"TTBR1_EL2", ttbr},
	{"PSTATE", pstate},
	{"PSTATE (AArch32)", pstate_aarch32},
	{"MDSCR_EL1", mdscr_el1},
	{"HSTR_EL2", hstr_el2},
	{"CNTHCTL_EL2", cnthctl_el2},
	{"CNTHCTL_EL2 (E2H)", cntkctl},
	{"CNTKCTL_EL1", cntkctl},
	{"CNTHP_CTL_EL2", timer_ctl},
	{"CNTHV_CTL_EL2", timer_ctl},
	{"CNTP_CTL_EL0", timer_ctl},
	{"CNTV_CTL_EL0", timer_ctl},
	{"CNTPS_CTL_EL1", timer_ctl},
	{"ZCR_EL1", zcr},
	{"ZCR_EL2", zcr},
	{"SMCR_EL1", smcr},
	{"SMCR_EL2", smcr},
	{NULL},
};

const KdBitField *
kd_arm64_bits (const char *reg)
{
	return kd_bits_find (registers, reg);
}

char *
kd_arm64_bits_to_string (const char *reg, uint64_t value)
{
	return kd_bits_to_string (registers, reg, value);
}
