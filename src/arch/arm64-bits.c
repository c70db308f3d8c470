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

static const KdBitField cptr_el2[] = {{8, 1, "TZ"}, {10, 1, "TFP"}, {12, 1, "TSM"}, {20, 1, "TTA"},
	{30, 1, "TAM"}, {31, 1, "TCPAC"}, {0}};

/* With HCR_EL2.E2H it has the layout of CPACR_EL1. */
static const KdBitField cptr_el2_e2h[] = {{16, 2, "ZEN"}, {20, 2, "FPEN"}, {24, 2, "SMEN"},
	{28, 1, "TTA"}, {29, 1, "E0POE"}, {30, 1, "TAM"}, {31, 1, "TCPAC"}, {0}};

static const KdBitField mdcr_el2[] = {{0, 5, "HPMN"}, {5, 1, "TPMCR"}, {6, 1, "TPM"},
	{7, 1, "HPME"}, {8, 1, "TDE"}, {9, 1, "TDA"}, {10, 1, "TDOSA"}, {11, 1, "TDRA"},
	{12, 2, "E2PB"}, {14, 1, "TPMS"}, {15, 1, "EnSPM"}, {17, 1, "HPMD"}, {19, 1, "TTRF"},
	{23, 1, "HCCD"}, {24, 2, "E2TB"}, {26, 1, "HLP"}, {27, 1, "TDCC"}, {28, 1, "MTPME"},
	{29, 1, "HPMFZO"}, {30, 2, "PMSSE"}, {36, 1, "HPMFZS"}, {40, 2, "PMEE"}, {43, 1, "EBWE"},
	{50, 1, "EnSTEPOP"}, {0}};

static const KdBitRegister registers[] = {
	{"HCR_EL2", hcr_el2},
	{"HCRX_EL2", hcrx_el2},
	{"CPTR_EL2", cptr_el2},
	{"CPTR_EL2 (E2H)", cptr_el2_e2h},
	{"MDCR_EL2", mdcr_el2},
	{NULL},
};

char *
kd_arm64_bits_to_string (const char *reg, uint64_t value)
{
	return kd_bits_to_string (registers, reg, value);
}
